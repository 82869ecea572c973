/** `K=V` from the command line; the value may be empty and may contain `=`. */
export function parsePair(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Error('Give it as NAME=VALUE.');
  return [text.slice(0, at), text.slice(at + 1)];
}
