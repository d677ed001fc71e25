/** `npm run build`: bundles the operator into dist/legacy-restore-operator.cjs, with its source map beside it. */
import { stat } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';

const outfile = 'dist/legacy-restore-operator.cjs';

/** client-node re-exports its whole generated API: without this all of it is bundled and parsed at each start. */
const withoutSideEffects: Plugin = {
  name: 'client-node-without-side-effects',
  setup(bundling) {
    bundling.onResolve(
      { filter: /^@kubernetes\/client-node$/ },
      async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (pluginData === withoutSideEffects.name) return undefined;
        const resolved = await bundling.resolve(path, {
          importer,
          resolveDir,
          kind,
          pluginData: withoutSideEffects.name,
        });
        return { ...resolved, sideEffects: false };
      },
    );
  },
};

await build({
  entryPoints: ['src/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node24',
  // ESM output dies with `Dynamic require of "node:assert" is not supported`.
  format: 'cjs',
  minify: true,
  keepNames: true,
  sourcemap: true,
  sourcesContent: false,
  banner: { js: '#!/usr/bin/env node' },
  plugins: [withoutSideEffects],
  logLevel: 'warning',
});
const { size } = await stat(outfile);
console.log(`${outfile}: ${Math.round(size / 1024)} KiB`);
