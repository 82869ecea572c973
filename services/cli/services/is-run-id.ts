/**
 * Where a run or a service may be named. The names of services contain no underscore, so an id of a run cannot be one.
 * `last` is a run.
 */
export const isRunId = (text: string) => text.startsWith('run_') || text === 'last';
