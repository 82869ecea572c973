export type Labels = Record<string, string>;
