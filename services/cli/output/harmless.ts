/**
 * Characters that a terminal obeys instead of showing them: control characters (C0 but tab and line feed, DEL, C1), the
 * characters that change the direction of text, by which a line can look different from what it is (CVE-2021-42574),
 * and the line ends of Unicode.
 */
const harmful =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/**
 * Removes these characters from names and messages that come from elsewhere: an image's name or a server's message must
 * not move the cursor or set the window's title. (A program's own output is passed on unchanged.)
 */
export const printable = (text: string): string => text.replace(harmful, '').toWellFormed();

/** The same for text that must be one line: a second line would look like the next row. */
export const oneLine = (text: string): string => printable(text).replace(/\s+/g, ' ');

/** A safety net for all lines that we print: it removes whatever was missed before, except colours. */
export function harmlessLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins a colour.
  const parts = text.split(/(\u001b\[[\d;]*m)/);
  return parts.map((part, i) => (i % 2 === 0 ? printable(part) : part)).join('');
}

const escaped = (one: string) =>
  one.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * JSON for machines that people may see too: the same value, with escapes for the characters that a terminal would
 * obey.
 */
export const jsonText = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(harmful, escaped);
