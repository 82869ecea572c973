/** The name of the language that a file is in, by its name. Loaded when a file is to be run: it takes its time. */
export async function languageOf(name: string): Promise<string | undefined> {
  const { languageOfFile } = await import('../../../shared/languages/index.ts');
  return languageOfFile(name)?.name;
}
