/** The languages that this version knows by their files' names. */
export async function languageOf(_name: string): Promise<string | undefined> {
  return undefined;
}
