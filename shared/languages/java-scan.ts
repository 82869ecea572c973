/**
 * What a Java source declares, found without a compiler: just enough to know the name that the file must have and the class to
 * start.
 */

export type JavaType = {
  name: string;
  isPublic: boolean;
  /** Set if the type has its own `static void main(String[])`. `public`: it has the form that the launcher of Java 17 needs. */
  main: 'public' | 'other' | undefined;
};

export type JavaSource = { package: string; types: JavaType[] };

const identifier = /[\p{L}\p{Nl}\p{Sc}\p{Pc}][\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Mn}\p{Mc}\p{Nd}]*/uy;
const number = /[0-9][0-9a-zA-Z_.]*/y;
const kinds = new Set(['class', 'interface', 'enum', 'record']);

/**
 * Reads up to the first part that makes no sense; a compiler refuses such a source. The time grows only in proportion to the
 * length, whatever the source contains.
 */
export function scanJava(source: string): JavaSource {
  const at = reader(tokensOf(unescaped(source)));
  const found: JavaSource = { package: '', types: [] };
  let isPublic = false;
  for (let token = at.next(); token !== undefined; token = at.next()) {
    if (token === '@' && at.peek() !== 'interface') at.skipAnnotation();
    else if (token === 'package' && found.types.length === 0) found.package = at.upTo(';').join('');
    else if (token === 'import') at.upTo(';');
    else if (token === 'public') isPublic = true;
    else if (kinds.has(token) && isName(at.peek())) {
      const name = at.next() as string;
      found.types.push({ name, isPublic, main: typeBody(at, token === 'interface') });
      isPublic = false;
    } else if (token === ';' || token === '}') isPublic = false;
    // The body of something unknown. Declarations in it are not at the top level.
    else if (token === '{') at.skipBlock('{', '}');
  }
  return found;
}

type Reader = ReturnType<typeof reader>;

/** Reads from the end of a type's name to the end of its body. */
function typeBody(at: Reader, inInterface: boolean): JavaType['main'] {
  for (let token = at.next(); token !== '{'; token = at.next()) {
    // The components of a record, or the values of an annotation, which may contain braces.
    if (token === '(') at.skipBlock('(', ')');
    if (token === undefined || token === ';') return undefined;
  }
  let main: JavaType['main'];
  let member: string[] = [];
  for (let token = at.next(); token !== undefined && token !== '}'; token = at.next()) {
    if (token === '@') at.skipAnnotation();
    else if (token === '{') {
      at.skipBlock('{', '}');
      member = [];
    } else if (token === ';') member = [];
    else if (token === '(') {
      const parameters = at.block('(', ')');
      if (
        member.at(-1) === 'main' &&
        member.at(-2) === 'void' &&
        member.includes('static') &&
        takesStrings(parameters)
      )
        main = inInterface || member.includes('public') || main === 'public' ? 'public' : 'other';
      member = [];
      // Only modifiers, a type and a name matter here. The list has a limit because an initializer may be long.
    } else if (member.length < 32) member.push(token);
  }
  return main;
}

/** `String[] a`, `final String... a`, `java.lang.String a[]`. */
function takesStrings(parameters: string[]): boolean {
  const text = parameters.filter((token) => token !== 'final').join(' ');
  return /^(?:java \. lang \. )?String (?:\[ \] [^\s[\],]+|\.\.\. [^\s[\],]+|[^\s[\],.]+ \[ \])$/.test(text);
}

const isName = (token: string | undefined) =>
  token !== undefined && /^[\p{L}\p{Nl}\p{Sc}\p{Pc}]/u.test(token);

/** JLS §3.3: `\u017e` means that character everywhere, unless the backslash is itself escaped. */
const unescaped = (source: string) =>
  source.replace(/\\(?:\\|u+([0-9a-fA-F]{4}))/g, (all, code: string | undefined) =>
    code === undefined ? all : String.fromCharCode(Number.parseInt(code, 16)),
  );

function reader(tokens: Generator<string>) {
  let ahead: string | undefined;
  const next = (): string | undefined => {
    const token = ahead ?? (tokens.next().value as string | undefined);
    ahead = undefined;
    return token;
  };
  const peek = (): string | undefined => {
    ahead ??= next();
    return ahead;
  };
  const upTo = (end: string): string[] => {
    const all: string[] = [];
    for (let token = next(); token !== undefined && token !== end; token = next()) all.push(token);
    return all;
  };
  /**
   * The tokens between an `open` that was already read and its `close`, without annotations. At most as many as the callers
   * need.
   */
  const block = (open: string, close: string): string[] => {
    const all: string[] = [];
    let depth = 1;
    for (let token = next(); token !== undefined; token = next()) {
      if (token === open) depth += 1;
      if (token === close) depth -= 1;
      if (depth === 0) break;
      // Annotations are skipped without recursion: a block full of nested annotations would use up our own stack.
      if (token === '@' && peek() !== 'interface') skipAnnotation();
      else if (all.length < 64) all.push(token);
    }
    return all;
  };
  /** Reads to the same `close`, and ignores all tokens before it. */
  const skipBlock = (open: string, close: string): void => {
    let depth = 1;
    for (let token = next(); token !== undefined && depth > 0; ) {
      if (token === open) depth += 1;
      if (token === close) depth -= 1;
      if (depth > 0) token = next();
    }
  };
  /** Skips the rest of an annotation (`@Name`, `@a.b.Name(…)`) whose `@` was already read. */
  function skipAnnotation(): void {
    if (!isName(peek())) return;
    next();
    while (peek() === '.') {
      next();
      next();
    }
    if (peek() !== '(') return;
    next();
    skipBlock('(', ')');
  }
  return { next, peek, upTo, block, skipBlock, skipAnnotation };
}

/**
 * The names and signs of a source, without comments and literals (JLS §3). Ends at a comment or literal that is never closed,
 * as a compiler does.
 */
function* tokensOf(source: string): Generator<string> {
  let at = 0;
  while (at < source.length) {
    const sign = source[at] as string;
    if (sign <= ' ') at += 1;
    else if (source.startsWith('//', at)) at = endOfLine(source, at);
    else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2);
      if (end < 0) return;
      at = end + 2;
    } else if (sign === '"' || sign === "'") {
      const end = endOfLiteral(source, at, source.startsWith('"""', at) ? '"""' : sign);
      if (end < 0) return;
      at = end;
    } else if (source.startsWith('...', at)) {
      yield '...';
      at += 3;
    } else {
      const word = match(identifier, source, at);
      const skipped = word ?? match(number, source, at);
      if (skipped === undefined) yield sign;
      if (word !== undefined) yield word;
      at += skipped?.length ?? 1;
    }
  }
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function endOfLine(source: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== '\n' && source[at] !== '\r') at += 1;
  return at;
}

/**
 * The position after the literal that begins at `from`; -1 if it is never closed. Only a text block may have more than one
 * line.
 */
function endOfLiteral(source: string, from: number, quote: string): number {
  for (let at = from + quote.length; at < source.length; at += 1) {
    const sign = source[at];
    if (sign === '\\') at += 1;
    else if (source.startsWith(quote, at)) return at + quote.length;
    else if (quote.length === 1 && (sign === '\n' || sign === '\r')) return -1;
  }
  return -1;
}
