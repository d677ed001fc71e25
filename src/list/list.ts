/** The command `list`: prints the restore jobs of a cluster, also as resources to apply. */
import { withAtlas } from '../command/atlas.ts';
import { type CommandProcess, note, runCommand, unlessStopped } from '../command/command.ts';
import { LIST_EXIT_CODES } from './exit-codes.ts';
import { type ListOptions, listHelp, readListOptions } from './options.ts';
import { listRemarks, printJobs } from './print.ts';
import { selectJobs } from './select.ts';

/** Runs the command; resolves with its exit code. */
export const list = (args: readonly string[], own: CommandProcess): Promise<number> =>
  runCommand({ name: 'list', readOptions: readListOptions, help: listHelp, work: listAndPrint }, args, own);

async function listAndPrint(options: ListOptions, own: CommandProcess): Promise<number> {
  const { jobs, unreadable } = await withAtlas(options, own, ({ client, credentials }) =>
    unlessStopped(own.stop, client.list(options.ref, credentials)),
  );
  const selected = selectJobs(jobs, options.status);
  own.stdout.write(printJobs(selected, options));
  for (const remark of listRemarks(selected, { all: jobs.length, unreadable }, options)) note(own, remark);
  return LIST_EXIT_CODES.done.code;
}
