/*
 * Preloaded into a process whose standard input is a pipe to its parent: the kernel closes that pipe however the parent
 * ends, even by SIGKILL, and the process ends then.
 */

process.stdin.on('error', () => process.exit(1));
process.stdin.on('close', () => process.exit(1));
process.stdin.resume();
// The process still ends by itself when it has nothing else to do.
process.stdin.unref();
