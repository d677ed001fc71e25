/* Preloaded into a process: a disk with room for DISK_BYTES of a file, as no user can make one everywhere. 0: it is full. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { writev, writeSync } = fs;
const disk = Number(process.env.DISK_BYTES);
const noSpace = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

/* Like Linux: a write that has room for some of it takes that, and the next one fails. */
fs.writev = (fd, buffers, position, done) => {
  const room = disk - position;
  if (room <= 0) process.nextTick(done, noSpace(), 0);
  else writev(fd, [Buffer.concat(buffers).subarray(0, room)], position, done);
};
fs.writeSync = (fd, ...rest) => {
  if (disk === 0 && fd > 2) throw noSpace();
  return writeSync(fd, ...rest);
};
syncBuiltinESMExports();
