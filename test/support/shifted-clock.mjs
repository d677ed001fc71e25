/*
 * Preloaded into a process: its wall clock is as many milliseconds away from the machine's as the file CLOCK_OFFSET_FILE
 * says at that moment. The monotonic clock stays as it is, as when an administrator or NTP sets the time.
 */
import { readFileSync } from 'node:fs';

const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(process.env['CLOCK_OFFSET_FILE'], 'utf8'));

globalThis.Date = class extends RealDate {
  constructor(...values) {
    super(...(values.length === 0 ? [now()] : values));
  }
  static now() {
    return now();
  }
};
