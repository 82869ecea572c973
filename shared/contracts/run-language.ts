type KnownLanguage = { image: string; fileName: string; limits?: Partial<Record<string, number>> };

/** The language that a request names, or why there is none. */
export function languageFor(
  _wanted: string,
): { language: KnownLanguage; fault?: undefined } | { language?: undefined; fault: string } {
  return { fault: 'is not known' };
}
