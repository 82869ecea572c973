/**
 * Options that a request may give to a language's compiler. These say how it compiles. An option that is not here is refused:
 * others read or write files elsewhere (-o, -I/etc, -fplugin, @file), hand options on to other programs (-Wl,…), or execute
 * something. Each option is one word, as `-DNAME=1`.
 */

/** After `-f` or `-fno-`. */
const gccFlags = [
  // Meaning of the language.
  'strict-aliasing|strict-overflow|wrapv|trapv|exceptions|rtti|permissive|concepts|coroutines|char8_t|short-enums|(?:un)?signed-char',
  'builtin|freestanding|hosted|common|gnu89-inline|ms-extensions|threadsafe-statics|sized-deallocation|aligned-new|elide-constructors',
  'delete-null-pointer-checks|(?:asynchronous-)?unwind-tables|visibility=[a-z]+|visibility-inlines-hidden|exec-charset=[\\w-]+|input-charset=[\\w-]+',
  // Its numbers.
  'fast-math|finite-math-only|unsafe-math-optimizations|math-errno|signed-zeros|associative-math|reciprocal-math|rounding-math',
  'trapping-math|float-store|excess-precision=[a-z0-9]+|fp-contract=[a-z]+|cx-limited-range',
  // Code.
  'PIC|pic|PIE|pie|lto|openmp|openmp-simd|omit-frame-pointer|stack-protector(?:-all|-strong|-explicit)?|stack-clash-protection',
  'cf-protection(?:=[a-z]+)?|unroll-(?:all-)?loops|inline(?:-functions|-small-functions)?|inline-limit=\\d+|tree-(?:loop-|slp-)?vectorize',
  'peel-loops|gcse|function-sections|data-sections|merge-constants|expensive-optimizations|split-loops|ipa-[a-z-]+',
  'sanitize=[a-z,-]+|sanitize-recover(?:=[a-z,-]+)?|sanitize-undefined-trap-on-error|sanitize-address-use-after-scope',
  // How much is compiled, and what is said of it.
  'max-errors=\\d+|template-depth=\\d+|template-backtrace-limit=\\d+|constexpr-(?:depth|loop-limit|ops-limit|cache-depth)=\\d+',
  'diagnostics-color(?:=[a-z]+)?|diagnostics-show-[a-z-]+|message-length=\\d+',
  // Fortran.
  'free-form|fixed-form|(?:free|fixed)-line-length-(?:none|\\d+)|implicit-none|backtrace|bounds-check|check=[a-z,-]+|recursive|range-check',
  'default-(?:real|double|integer)-8|cray-pointer|stack-arrays|max-stack-var-size=\\d+|fpe-trap=[a-z,]+|allow-argument-mismatch|dec',
].join('|');

const pathInWorkdir = '(?:\\./)?[\\w+-][\\w+.-]*(?:/[\\w+-][\\w+.-]*)*/?';

const lists = {
  gcc: {
    usual:
      '-O2, -std=…, -W…, -g, -DNAME=…, -UNAME, -m…, -l…, -pthread, -static, harmless -f…, and -I and -L within the work folder',
    patterns: [
      /^-O(?:[0-3sg]|fast)?$/,
      /^-std=[a-z0-9+:]+$/,
      /^-(?:ansi|pedantic|pedantic-errors|w|s|pipe|pthread|static|static-lib(?:gcc|stdc\+\+|gfortran)|pie|no-pie|nostdlib|nostartfiles|rdynamic)$/,
      // Without a comma none of them hands something on.
      /^-W(?:[a-z][a-zA-Z0-9+_=-]*)?$/,
      /^-g(?:[0-3]|gdb[0-3]?|dwarf(?:-[2-5])?)?$/,
      /^-D[A-Za-z_]\w*(?:\([\w, .]*\))?(?:=[^\r\n]*)?$/,
      /^-U[A-Za-z_]\w*$/,
      /^-m[a-z0-9][a-zA-Z0-9=.+_-]*$/,
      // Not -l:FILE.
      /^-l[A-Za-z0-9_][A-Za-z0-9_+.-]*$/,
      new RegExp(`^-f(?:no-)?(?:${gccFlags})$`),
      new RegExp(`^-[IL](?:\\.|${pathInWorkdir})$`),
    ],
  },
  javac: {
    usual: '-g, -Xlint…, -nowarn, -deprecation, -parameters, -Werror, --release=N',
    patterns: [
      /^-g(?::[a-z,]+)?$/,
      /^-Xlint(?::[a-z,-]+)?$/,
      /^-Xdiags:(?:compact|verbose)$/,
      /^-(?:nowarn|deprecation|parameters|Werror)$/,
      /^--(?:release|source|target)=\d{1,2}$/,
    ],
  },
  rustc: {
    usual:
      '-g, lints as -Adead_code, --cap-lints=…, --cfg=…, and -C with overflow-checks, debug-assertions, panic, lto, target-cpu and the like, as in -Coverflow-checks=on',
    patterns: [
      /^-g$/,
      /^-[AWDF][a-z][a-z0-9_:-]*$/,
      /^--cap-lints=[a-z]+$/,
      /^--cfg=[A-Za-z_]\w*(?:="[^"\r\n]*")?$/,
      /^-C(?:overflow-checks|debug-assertions|debuginfo|panic|lto|codegen-units|target-cpu|target-feature|inline-threshold|strip)=[\w.,+-]+$/,
    ],
  },
  go: {
    usual: '-trimpath, -tags=…, -ldflags=-s, -ldflags=-w, -gcflags=-N, -gcflags=-l',
    patterns: [
      /^-trimpath$/,
      /^-tags=[\w.,]+$/,
      /^-ldflags=-[sw](?: -[sw])?$/,
      /^-gcflags=(?:all=)?-[Nl](?: -[Nl])?$/,
    ],
  },
  fpc: {
    usual: '-O…, -g…, -C[iort], -M…, -S…, -dNAME, -uNAME, -v…, -Xs',
    patterns: [
      /^-O(?:[1-4]|-|s)$/,
      /^-g[hlvwct]*$/,
      /^-C[iort]+-?$/,
      /^-M[A-Za-z0-9]+$/,
      /^-S[a-z0-9]+-?$/,
      /^-[du][A-Za-z_]\w*$/,
      // Not -vv, which writes a file.
      /^-v[0ewnihlaqt]*$/,
      /^-X[sX]$/,
    ],
  },
} as const satisfies Record<string, { usual: string; patterns: RegExp[] }>;

export type CompilerOptions = keyof typeof lists;
export const compilerOptionLists = Object.keys(lists) as [CompilerOptions, ...CompilerOptions[]];

/** What is wrong with an option for such a compiler. `undefined`: nothing is. */
export function compilerOptionFault(list: CompilerOptions, option: string): string | undefined {
  const { patterns, usual } = lists[list];
  const allowed: readonly RegExp[] = patterns;
  return allowed.some((one) => one.test(option))
    ? undefined
    : `is not among the options that may be given: ${usual}`;
}
