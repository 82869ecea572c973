const word = /\s+|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)|['"\\]/g;

/**
 * Splits a line as a shell does: at blanks, but for what is quoted or escaped. Nothing is expanded. `undefined`: a quote is never closed,
 * or a backslash has nothing behind it.
 */
export function shellWords(line: string): string[] | undefined {
  const words: string[] = [];
  let current: string | undefined;
  for (const [all, single, double, escaped, plain] of line.matchAll(word)) {
    const part =
      single ?? double?.replaceAll(/\\([\\"$`])/g, '$1').replaceAll('\\\n', '') ?? escaped ?? plain;
    if (part !== undefined) current = (current ?? '') + part;
    else if (/^\s/.test(all)) {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else return undefined;
  }
  if (current !== undefined) words.push(current);
  return words;
}
