/** What the fields of the log mean: the one table, for documentation and tests. Names are stable. */

export interface LogField {
  readonly name: string;
  readonly meaning: string;
  /** `all`: in every line; `resource`: in every line about a visit of a resource; `some`: where it says something. */
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
  { name: 'uid', lines: 'resource', meaning: 'Its uid: tells it from an earlier one of the same name.' },
  { name: 'jobId', lines: 'resource', meaning: 'Id of the restore job at Atlas.' },
  {
    name: 'requestId',
    lines: 'resource',
    meaning:
      "Id of the visit, the operator's own: all lines about one visit have the same one, also those of later tries to write what it found. Atlas documents no id for its answers.",
  },
  {
    name: 'reason',
    lines: 'resource',
    meaning:
      'Why, in one word: the reason of the condition that changed or failed (see [conditions.md](conditions.md)), or that of the API server where a status could not be written.',
  },
  { name: 'statusName', lines: 'some', meaning: 'State of the job at Atlas.' },
  { name: 'delivery', lines: 'some', meaning: 'State of its delivery.' },
  {
    name: 'durationMs',
    lines: 'some',
    meaning: 'Milliseconds that the visit took until its outcome was known, or that a request to Atlas took.',
  },
  { name: 'error', lines: 'some', meaning: 'Message of an error that has no condition of its own.' },
  { name: 'stack', lines: 'some', meaning: 'Where an error comes from that is a bug of the operator.' },
];
