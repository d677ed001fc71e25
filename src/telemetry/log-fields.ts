/** The one table of the fields of the log, for documentation and tests. Names are stable. */

export interface LogField {
  readonly name: string;
  readonly meaning: string;
  /** `all`: in every line; `resource`: in every line about a reconcile; `some`: if there is something to say. */
  readonly lines: 'all' | 'resource' | 'some';
}

/** The fields in the order of the documentation. Others belong to the single lines that have them. */
export const LOG_FIELDS: readonly LogField[] = [
  { name: 'level', lines: 'all', meaning: '`trace`, `debug`, `info`, `warn` or `error`.' },
  { name: 'time', lines: 'all', meaning: 'ISO 8601 in UTC, with milliseconds.' },
  { name: 'version', lines: 'all', meaning: 'Version of the operator.' },
  { name: 'msg', lines: 'all', meaning: 'What happened, in words.' },
  { name: 'namespace', lines: 'resource', meaning: 'Namespace of the LegacyRestoreJob.' },
  { name: 'name', lines: 'resource', meaning: 'Name of the LegacyRestoreJob.' },
  { name: 'uid', lines: 'resource', meaning: 'Its uid, which distinguishes it from an earlier one of the same name.' },
  { name: 'jobId', lines: 'resource', meaning: 'Id of the restore job at Atlas.' },
  {
    name: 'requestId',
    lines: 'resource',
    meaning:
      'Id of the reconcile, assigned by the operator. All lines about one reconcile have the same id, including those of later attempts to write its result. Atlas documents no id for its responses.',
  },
  {
    name: 'reason',
    lines: 'resource',
    meaning:
      'The reason of the condition that changed or failed (see [conditions.md](conditions.md)), or that of the API server if a status could not be written.',
  },
  { name: 'statusName', lines: 'some', meaning: 'Status of the job at Atlas.' },
  { name: 'delivery', lines: 'some', meaning: 'Status of its delivery.' },
  {
    name: 'durationMs',
    lines: 'some',
    meaning: 'Milliseconds that the reconcile took until its outcome was known, or that a request to Atlas took.',
  },
  { name: 'error', lines: 'some', meaning: 'Message of an error that has no condition of its own.' },
  { name: 'stack', lines: 'some', meaning: 'Stack trace of an error that is a bug of the operator.' },
];
