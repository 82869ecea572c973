import { isUtf8 } from 'node:buffer';

/** Names may be thousands of bytes long; this much of one is enough to find it. */
const maxCharacters = 200;
const longestCharacter = 4;

/**
 * A path as part of a sentence, whatever its bytes. `\xe9` stands for a byte that is not valid UTF-8 or that belongs to a control
 * character, and `\\` for a backslash. The end of a long path is left out.
 */
export function pathAsText(path: Buffer): string {
  const characters: string[] = [];
  for (let at = 0; at < path.length; ) {
    if (characters.length === maxCharacters) return `${characters.join('')}…`;
    const bytes = characterAt(path, at);
    characters.push(bytes.length === 0 ? escaped(path[at] ?? 0) : shown(bytes));
    at += Math.max(1, bytes.length);
  }
  return characters.join('');
}

/** The bytes of one character; none where no character begins. */
function characterAt(path: Buffer, at: number): Buffer {
  for (let length = 1; length <= longestCharacter; length += 1) {
    const bytes = path.subarray(at, at + length);
    if (isUtf8(bytes)) return bytes;
  }
  return Buffer.alloc(0);
}

function shown(character: Buffer): string {
  const text = character.toString('utf8');
  if (text === '\\') return '\\\\';
  return /\p{C}/u.test(text) ? [...character].map(escaped).join('') : text;
}

const escaped = (byte: number) => `\\x${byte.toString(16).padStart(2, '0')}`;
