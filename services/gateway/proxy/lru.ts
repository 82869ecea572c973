/** Remembers the `most` that were put last: what is found out for strangers must not grow without end. */
export function rememberRecent<Value>(most: number) {
  // In order of insertion: the first is the oldest.
  const values = new Map<string, Value>();
  return {
    get: (key: string): Value | undefined => values.get(key),
    put(key: string, value: Value): void {
      values.delete(key);
      values.set(key, value);
      if (values.size > most) values.delete(values.keys().next().value as string);
    },
    delete: (key: string): void => void values.delete(key),
    entries: () => values.entries(),
    clear: (): void => values.clear(),
  };
}
