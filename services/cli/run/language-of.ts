/**
 * The name of a file's language, from the file's name. The module loads slowly, so it is loaded only when a file is to
 * be run.
 */
export async function languageOf(name: string): Promise<string | undefined> {
  const { languageOfFile } = await import('../../../shared/languages/index.ts');
  return languageOfFile(name)?.name;
}
