export type Size = { cols: number; rows: number };

/** `undefined` if the stream is not a terminal, or if its size is not known. */
export function sizeOf({ columns: cols, rows }: NodeJS.WriteStream): Size | undefined {
  return cols > 0 && rows > 0 ? { cols, rows } : undefined;
}

/** Calls back with the terminal's size, now and whenever it changes (SIGWINCH). Call the returned function to stop. */
export function watchSize(stdout: NodeJS.WriteStream, changed: (size: Size) => void): () => void {
  const tell = () => {
    const size = sizeOf(stdout);
    if (size !== undefined) changed(size);
  };
  tell();
  stdout.on('resize', tell);
  return () => stdout.off('resize', tell);
}
