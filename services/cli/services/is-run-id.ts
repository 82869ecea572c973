/** The names of services contain no underscore, so an id of a run cannot be one. */
export const isRunId = (text: string) => text.startsWith('run_');
