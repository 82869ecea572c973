import { describe, expect, test } from 'vitest';
import { commandLines, compilerOptionFault, listLanguages } from '../../../shared/languages/index.ts';

const faultsOf = (list: Parameters<typeof compilerOptionFault>[0], options: string[]) =>
  options.filter((option) => compilerOptionFault(list, option) !== undefined);

describe('options for GCC', () => {
  test('say how it compiles', () => {
    const fine = [
      ...[
        '-O',
        '-O0',
        '-O3',
        '-Os',
        '-Ofast',
        '-std=c++17',
        '-std=gnu++2b',
        '-std=iso9899:1999',
        '-ansi',
        '-pedantic',
      ],
      ...[
        '-W',
        '-Wall',
        '-Wextra',
        '-Wno-unused-result',
        '-Werror=return-type',
        '-Wformat=2',
        '-w',
        '-g',
        '-ggdb3',
      ],
      ...[
        '-DONLINE_JUDGE',
        '-DN=5',
        '-DF(x, y)=(x)',
        '-DS="a b /c"',
        '-UNDEBUG',
        '-pthread',
        '-static',
        '-pipe',
        '-s',
      ],
      ...[
        '-march=native',
        '-mtune=generic',
        '-m64',
        '-msse4.2',
        '-lm',
        '-lstdc++',
        '-lpthread',
        '-lboost_regex',
      ],
      ...[
        '-fno-strict-aliasing',
        '-fsanitize=address,undefined',
        '-fopenmp',
        '-fconstexpr-depth=4096',
        '-fPIC',
      ],
      ...['-Iinclude', '-I.', '-I./a/b/', '-Llib', '-static-libstdc++', '-fmax-errors=1', '-fcheck=all'],
    ];
    expect(faultsOf('gcc', fine)).toEqual([]);
  });

  test('and none that reads, writes or executes something else', () => {
    const refused = [
      ...[
        '',
        ' ',
        '-',
        'main.cpp',
        '/etc/passwd',
        '@file',
        '-o',
        '-o/tmp/x',
        '-c',
        '-S',
        '-E',
        '-x',
        '-xc',
        '-v',
        '-###',
      ],
      ...[
        '-include',
        '-include/etc/passwd',
        '-imacros',
        '-isystem/usr',
        '-iquote/etc',
        '-idirafter/',
        '-I',
        '-I/etc',
        '-I..',
      ],
      ...[
        '-Ia/../../etc',
        '-I=/etc',
        '-I.hidden',
        '-L',
        '-L/lib',
        '-L..',
        '-B',
        '-B/tmp',
        '-B.',
        '-T',
        '-Tscript',
        '-l',
        '-l:libc.a',
      ],
      ...[
        '-l/lib/x',
        '-lx/y',
        '-Wl,-rpath,/x',
        '-Wl,@x',
        '-Wp,-MD,x',
        '-Wa,-a=x',
        '-Xlinker',
        '-Xassembler',
        '-Xpreprocessor',
      ],
      ...[
        '-wrapper',
        '-wrapper,sh',
        '-specs=x',
        '--specs=x',
        '-specs',
        '--sysroot=/',
        '-no-canonical-prefixes',
        '-dumpbase',
        '-dM',
      ],
      ...[
        '-fplugin=x.so',
        '-fplugin-arg-x-y=z',
        '-fno-plugin',
        '-fuse-ld=gold',
        '-fdump-tree-all',
        '-fdump-rtl-all=/tmp/x',
      ],
      ...[
        '-fprofile-use=/etc',
        '-fprofile-generate',
        '-fauto-profile=x',
        '-fopt-info-all=x',
        '-fsave-optimization-record',
      ],
      ...[
        '-fmodule-mapper=|sh',
        '-fmodules-ts',
        '-foffload=x',
        '-fcompare-debug',
        '-fcallgraph-info',
        '-fstack-usage',
      ],
      ...[
        '-ftest-coverage',
        '--coverage',
        '-fpre-include=/x',
        '-fintrinsic-modules-path',
        '-J/x',
        '-MD',
        '-MF',
        '-M',
        '-pg',
      ],
      ...[
        '-save-temps',
        '-save-temps=obj',
        '-aux-info',
        '-gsplit-dwarf',
        '-time=x',
        '-fworking-directory=/',
        '-fsanitize=a/b',
      ],
      ...[
        '-O2 -o x',
        '-Wall\n-o',
        '-DA\nB',
        '-DA=1\r',
        '-D',
        '-D1',
        '-U',
        '-std=',
        '-std=c++17 -x',
        '-march=a/b',
        '-m',
        '-g/x',
      ],
      ...['--param', '--help', '--version', '-O4x', '-fno-', '-f', '-shared'],
    ];
    expect(refused.filter((option) => compilerOptionFault('gcc', option) === undefined)).toEqual([]);
  });
});

test.each<[Parameters<typeof compilerOptionFault>[0], string[], string[]]>([
  [
    'javac',
    ['-g', '-g:none', '-Xlint', '-Xlint:all,-serial', '-parameters', '--release=11'],
    [
      '-d',
      '-cp',
      '-classpath',
      '-J-Xmx1g',
      '-processor',
      '-Xplugin:x',
      '-sourcepath',
      '@x',
      '--release',
      '-s',
      '-h',
      '-Akey=x',
    ],
  ],
  [
    'rustc',
    [
      '-g',
      '-Adead_code',
      '-Dwarnings',
      '--cap-lints=allow',
      '--cfg=feature="x"',
      '-Coverflow-checks=on',
      '-Ctarget-cpu=native',
    ],
    [
      '-o',
      '-C',
      '-Clinker=sh',
      '-Clink-arg=x',
      '-Clink-args=x',
      '-Cincremental=x',
      '-L/',
      '-Zx',
      '--extern=x',
      '--emit=asm',
      '-Cllvm-args=x',
    ],
  ],
  [
    'go',
    ['-trimpath', '-tags=a,b', '-ldflags=-s -w', '-gcflags=all=-N -l'],
    [
      '-o',
      '-toolexec=sh',
      '-ldflags=-extld=sh',
      '-ldflags=-s -extld=x',
      '-gcflags=-o',
      '-exec',
      '-mod=mod',
      '-C',
      '-overlay=x',
      '-n',
    ],
  ],
  [
    'fpc',
    ['-O3', '-g', '-gl', '-Crtoi', '-MObjFPC', '-Sh', '-dDEBUG', '-uDEBUG', '-v0', '-vew', '-Xs'],
    [
      '-o/x',
      '-FU/x',
      '-Fu/x',
      '-FE.',
      '-vv',
      '-XP/x',
      '-k-x',
      '-a',
      '-s',
      '@x',
      '-i',
      '-e/x',
      '-Tlinux',
      '-n',
      '-Fl/',
    ],
  ],
])('options for %s', (list, fine, refused) => {
  expect(faultsOf(list, fine)).toEqual([]);
  expect(faultsOf(list, refused)).toEqual(refused);
});

test('every compiler takes options, and each stands in its command line', () => {
  for (const one of listLanguages()) {
    const compiles = [one, ...Object.values(one.projects)].filter(({ compile }) => compile !== undefined);
    expect([one.name, one.compilerOptions !== undefined]).toEqual([one.name, compiles.length > 0]);
    for (const { compile = [] } of compiles)
      expect([one.name, compile.filter((word) => word === '{options}').length]).toEqual([one.name, 1]);
    const program = { entry: one.fileName, files: [one.fileName] };
    const { compile } = commandLines(one, { ...program, compilerOptions: ['--one', '--two'] });
    if (compile === undefined) continue;
    expect(compile.join(' ')).toContain(' --one --two');
    expect(commandLines(one, program).compile).toEqual(compile.filter((word) => !/^--(one|two)$/.test(word)));
  }
});
