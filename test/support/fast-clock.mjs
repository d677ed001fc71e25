/* Preloaded into a process: for its monotonic clock a second is as many minutes as CLOCK_MINUTES says. Timers stay. */
const now = performance.now.bind(performance);
const factor = 60 * Number(process.env['CLOCK_MINUTES']);

performance.now = () => now() * factor;
