// Preloaded by every npm script (`node --import`): Node.js below 24.5 cannot run the TypeScript sources, or lacks what
// they import, and would fail with an error that does not say so.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 5)) {
  console.error(
    `legacy-restore-operator needs Node.js 24.5 or newer (26 LTS recommended), but this is ${process.version}. ` +
      'Run it through npm scripts after `npm ci` (which brings Node.js 26 for Linux and for macOS on arm64), or install Node.js 26.',
  );
  process.exit(1);
}
