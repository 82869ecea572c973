/**
 * What a terminal does something with instead of showing it: control characters (C0 but tab and line feed, DEL, C1), what turns the
 * direction of text around, by which a line reads otherwise than it is (CVE-2021-42574), and the line ends of Unicode.
 */
const harmful =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/**
 * Names and messages from elsewhere go to the terminal without them: an image's name or a server's sentence must not move the cursor or
 * set the window's title. (A program's own output is passed as it is.)
 */
export const printable = (text: string): string => text.replace(harmful, '').toWellFormed();

/** The same where it must be one line: a second one would look like the next row. */
export const oneLine = (text: string): string => printable(text).replace(/\s+/g, ' ');

/** The net under all lines of ours: whatever was forgotten, only colours are left of it. */
export function harmlessLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins a colour.
  const parts = text.split(/(\u001b\[[\d;]*m)/);
  return parts.map((part, i) => (i % 2 === 0 ? printable(part) : part)).join('');
}

const escaped = (one: string) =>
  one.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** JSON for machines that may be shown to people: the same value, with escapes for what a terminal would obey. */
export const jsonText = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(harmful, escaped);
