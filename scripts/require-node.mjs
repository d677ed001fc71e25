// Preloaded by every npm script (`node --import`): Node.js below 24 cannot run the TypeScript sources and would fail
// with an error that does not say so.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `legacy-restore-operator needs Node.js 24 or newer (26 LTS recommended), but this is ${process.version}. ` +
      'Run it through npm scripts after `npm ci` (which brings Node.js 26 for Linux and for macOS on arm64), or install Node.js 26.',
  );
  process.exit(1);
}
