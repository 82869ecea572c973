/** A program that every server of code can be asked for, and what it prints. */
export type Program = { language: 'bash' | 'python'; code: string; prints: string };

/** A server of others that runs code over HTTP. It is not ours: what it does not answer as it should costs no more than its own rows. */
export type Server = {
  url: string;
  has(language: Program['language']): boolean;
  /** Rejects when the program did not print what it should. */
  execute(program: Program): Promise<void>;
};
