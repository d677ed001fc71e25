/** Both suites run TypeScript sources as ES modules; swc only strips the types, `tsc` checks them. */
const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'esnext', experimental: { keepImportAttributes: true } } },
    ],
  },
};

export default {
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    { ...common, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.test.ts'] },
  ],
  testSequencer: '<rootDir>/jest.sequencer.js',
  // jest takes this for all projects only; integration tests wait for real processes.
  testTimeout: 120_000,
  // Integration tests wait more than they compute. More control planes at once would starve each other on two cores.
  maxWorkers: 3,
  // Concurrent tests of one file wait for intervals side by side, each for its own.
  maxConcurrency: 10,
};
