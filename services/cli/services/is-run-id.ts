/** Names of services have no underscore. */
export const isRunId = (text: string) => text.startsWith('run_');
