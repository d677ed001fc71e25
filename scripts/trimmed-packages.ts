/**
 * Keeps code out of the bundle that packages load but the operator does not use: every start would parse and run it, and
 * it would stay in memory for the lifetime of the process.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** client-node re-exports its whole generated API, from files that only define it. */
export const clientNodeWithoutSideEffects: Plugin = {
  name: 'client-node-without-side-effects',
  setup(bundling) {
    bundling.onResolve({ filter: /./ }, async ({ path: wanted, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === clientNodeWithoutSideEffects.name) return undefined;
      if (wanted !== CLIENT_NODE && !importer.includes(`/${CLIENT_NODE}/`)) return undefined;
      const { name } = clientNodeWithoutSideEffects;
      const resolved = await bundling.resolve(wanted, { importer, resolveDir, kind, pluginData: name });
      return resolved.external ? resolved : { ...resolved, sideEffects: false };
    });
  },
};

/** Only the parts in `bundled/` of some packages are bundled: an import of anything else fails the build. */
export const packagesInParts: Plugin = {
  name: 'packages-in-parts',
  setup(bundling) {
    // undici's own switch for what Node.js leaves out of its copy, too: a second parser, which nobody turns on.
    bundling.initialOptions.define = { ...bundling.initialOptions.define, esbuildDetection: 'true' };
    bundling.onResolve({ filter: LEFT_OUT }, () => ({ path: path.join(BUNDLED, 'left-out.cjs') }));
    bundling.onResolve({ filter: /^(undici|prom-client)$/ }, ({ path: name }) => ({
      path: path.join(BUNDLED, `${name}.mjs`),
    }));
  },
};

/**
 * Maps our own code line by line, and that of packages file by file: Node.js reads the whole map as soon as a stream
 * ends with an error, and keeps it.
 */
export const ownLinesInMap: Plugin = {
  name: 'own-lines-in-map',
  setup(bundling) {
    bundling.onLoad({ filter: /[/\\]node_modules[/\\].*\.[cm]?js$/ }, async ({ path: file }) => {
      const map = { version: 3, sources: [path.basename(file)], mappings: 'AAAA' };
      const url = `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
      return { contents: `${await readFile(file, 'utf8')}\n//# sourceMappingURL=${url}` };
    });
  },
};

const CLIENT_NODE = '@kubernetes/client-node';

const BUNDLED = path.join(import.meta.dirname, 'bundled');

/**
 * What undici and client-node require for what never happens: all connections are HTTP/1.1, bodies are strings, and settings
 * and kubeconfigs that name a SOCKS proxy are refused.
 */
const LEFT_OUT = /^(?:\.\/client-h2\.js|\.\.\/web\/.*|\.\/socks5-proxy-agent|socks|socks-proxy-agent)$/;
