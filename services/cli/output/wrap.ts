/**
 * Breaks a text between words, so that no line is longer than `width` with the indent before it. A longer word has a
 * line of its own, whole. Without a width nothing is broken.
 */
export function wrap(text: string, width: number | undefined, indent: string): string {
  const room = (width ?? 0) - indent.length;
  if (room < 1) return text;
  const lines = text.split('\n').flatMap((line) => {
    const broken = [''];
    for (const word of line.split(' ')) {
      const last = broken.at(-1) ?? '';
      const longer = last === '' ? word : `${last} ${word}`;
      if (last !== '' && longer.length > room) broken.push(word);
      else broken[broken.length - 1] = longer;
    }
    return broken;
  });
  return lines.join(`\n${indent}`);
}
