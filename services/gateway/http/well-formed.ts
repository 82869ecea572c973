/** Well-formed text can be written as UTF-8 and read again: it contains no half of a surrogate pair (Unicode 16, D84; RFC 8259 §8.2). */

export type TextFault = { path: PropertyKey[]; message: string };

/**
 * The strings in a JSON value, names of entries too, that are not well-formed Unicode: the first `max` of them. `text.slice(0, n)` can
 * leave such a string by cutting an emoji. JSON can express it (`"\ud83d"`), UTF-8 cannot: it would become another string, or break
 * whatever reads it. The cost is one look at each value, with no more for strings that V8 stores with one byte a character.
 */
export function textFaults(value: unknown, max: number): TextFault[] {
  const faults: TextFault[] = [];
  const refuse = (path: PropertyKey[], message: string) => {
    if (faults.length < max) faults.push({ path, message });
  };
  const look = (one: unknown, path: PropertyKey[]): void => {
    if (faults.length >= max) return;
    if (typeof one === 'string') {
      if (!one.isWellFormed()) refuse([...path], sentence(one));
    } else if (Array.isArray(one)) {
      for (const [index, child] of one.entries()) {
        path.push(index);
        look(child, path);
        path.pop();
      }
    } else if (typeof one === 'object' && one !== null) {
      for (const [name, child] of Object.entries(one)) {
        path.push(name);
        if (!name.isWellFormed()) refuse([...path], `has a name that ${sentence(name)}`);
        else look(child, path);
        path.pop();
      }
    }
  };
  look(value, []);
  return faults;
}

function sentence(text: string): string {
  const at = halfAt(text);
  const half = text.charCodeAt(at).toString(16);
  return `is not well-formed Unicode: \\u${half} at character ${at} is half of a surrogate pair, as a text has it that was cut within a character`;
}

/** The position of the first half without its other half, in UTF-16 code units. */
function halfAt(text: string): number {
  // Up to that position the text and its corrected copy are the same.
  const mended = text.toWellFormed();
  let from = 0;
  let to = text.length;
  while (to - from > 1) {
    const middle = (from + to) >>> 1;
    if (text.slice(from, middle) === mended.slice(from, middle)) from = middle;
    else to = middle;
  }
  return from;
}
