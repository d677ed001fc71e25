import { endServers } from './servers.ts';

/*
 * The process that ends a control plane when its owner is gone: `watchdog.ts <folder of the control plane>`. Its standard
 * input is a pipe to the owner, and the kernel closes that one even after SIGKILL.
 */

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('usage: watchdog.ts <folder of the control plane>');

// Whatever ends the owner can be sent to all processes of a session or container: this one is to be the last.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

const { promise: ownerGone, resolve } = Promise.withResolvers<void>();
process.stdin.on('error', () => {
  resolve();
});
process.stdin.on('close', () => {
  resolve();
});
process.stdin.resume();
await ownerGone;
await endServers(dir);
