import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Runlet } from '../support/runlet.ts';
import { buildingMs, startWithLanguages } from './support.ts';

/**
 * Text outside ASCII: in the code, in an argument, on stdin; counted in characters and put into capitals by what the language has
 * for that, where it has something.
 */
const word = 'žluť 😀';
const counted = `${word} 6 ŽLUŤ 😀`;
const echoed = `${word} Řeka`;

const cases: Record<string, { code: string; expected: string }> = {
  awk: {
    code: `BEGIN { s = "${word}"; print s, length(s), toupper(s); getline line < "-"; print ARGV[1], line }`,
    expected: `${counted}\n${echoed}\n`,
  },
  bash: {
    code: `s='${word}'; echo "$s \${#s} \${s^^}"; read -r line; echo "$1 $line"`,
    expected: `${counted}\n${echoed}\n`,
  },
  c: {
    code: `#include <locale.h>
#include <stdio.h>
#include <wchar.h>
#include <wctype.h>
int main(int argc, char **argv) {
  wchar_t s[] = L"${word}", line[99];
  if (!setlocale(LC_ALL, "")) return 1;
  printf("%ls %zu ", s, wcslen(s));
  for (int i = 0; s[i]; i++) s[i] = towupper(s[i]);
  scanf("%ls", line);
  printf("%ls\\n%s %ls\\n", s, argv[1], line);
}`,
    expected: `${counted}\n${echoed}\n`,
  },
  cpp: {
    code: `#include <iostream>
#include <locale>
int main(int argc, char **argv) {
  std::locale::global(std::locale(""));
  std::ios::sync_with_stdio(false);
  std::wcin.imbue(std::locale());
  std::wcout.imbue(std::locale());
  std::wstring s = L"${word}", line;
  std::wcin >> line;
  std::wcout << s << L' ' << s.size() << L' ' << line << L'\\n';
}`,
    expected: `${word} 6 Řeka\n`,
  },
  fortran: {
    code: `program text
  character(len=80) :: line, argument
  call get_command_argument(1, argument)
  read (*, '(a)') line
  print '(a)', '${word}', trim(argument)//' '//trim(line)
end program`,
    expected: `${word}\n${echoed}\n`,
  },
  go: {
    code: `package main
import ("fmt"; "os"; "strings"; "unicode/utf8")
func main() {
  s, line := "${word}", ""
  fmt.Scan(&line)
  fmt.Println(s, utf8.RuneCountInString(s), strings.ToUpper(s))
  fmt.Println(os.Args[1], line)
}`,
    expected: `${counted}\n${echoed}\n`,
  },
  javascript: {
    code: `const s = '${word}'; console.log(s, [...s].length, s.toUpperCase()); console.log(process.argv[2], require('fs').readFileSync(0, 'utf8'))`,
    expected: `${counted}\n${echoed}\n`,
  },
  lua: {
    code: `local s = '${word}'; print(s .. ' ' .. utf8.len(s)); print(arg[1] .. ' ' .. io.read())`,
    expected: `${word} 6\n${echoed}\n`,
  },
  perl: {
    code: `use open ':std', ':encoding(UTF-8)'; use utf8; use Encode; my $s = '${word}'; print "$s ", length $s, ' ', uc $s, "\\n"; print decode_utf8($ARGV[0]), ' ', scalar <STDIN>`,
    expected: `${counted}\n${echoed}`,
  },
  php: {
    code: `<?php $s = '${word}'; echo $s, ' ', mb_strlen($s), ' ', mb_strtoupper($s), "\\n", $argv[1], ' ', fgets(STDIN);`,
    expected: `${counted}\n${echoed}`,
  },
  python: {
    code: `import sys; s = '${word}'; print(s, len(s), s.upper()); print(sys.argv[1], input())`,
    expected: `${counted}\n${echoed}\n`,
  },
  ruby: {
    code: `s = '${word}'; puts "#{s} #{s.length} #{s.upcase}", "#{ARGV[0]} #{$stdin.read}"`,
    expected: `${counted}\n${echoed}\n`,
  },
  rust: {
    code: `fn main() {
  let (s, mut line) = ("${word}", String::new());
  std::io::stdin().read_line(&mut line).unwrap();
  println!("{} {} {}", s, s.chars().count(), s.to_uppercase());
  println!("{} {}", std::env::args().nth(1).unwrap(), line);
}`,
    expected: `${counted}\n${echoed}\n`,
  },
  typescript: {
    code: `const s: string = '${word}'; console.log(s, [...s].length, s.toUpperCase()); console.log(process.argv[2], require('fs').readFileSync(0, 'utf8'))`,
    expected: `${counted}\n${echoed}\n`,
  },
};

/** Each has an image of its own that takes a while to build, as in languages.test.ts. */
const rare: typeof cases = {
  commonlisp: {
    code: `(let ((s "${word}")) (format t "~a ~a ~a~%" s (length s) (string-upcase s))) (format t "~a ~a~%" (car (last sb-ext:*posix-argv*)) (read-line))`,
    expected: `${counted}\n${echoed}\n`,
  },
  pascal: {
    code: `program text; var line: string; begin readln(line); writeln('${word}'); writeln(paramstr(1), ' ', line) end.`,
    expected: `${word}\n${echoed}\n`,
  },
  prolog: {
    code: `main :- S = "${word}", string_length(S, N), string_upper(S, U), format("~w ~w ~w~n", [S, N, U]), current_prolog_flag(argv, A), last(A, W), read_string(user_input, _, L), format("~w ~w~n", [W, L]).`,
    expected: `${counted}\n${echoed}\n`,
  },
  r: {
    code: `s <- '${word}'; cat(s, nchar(s), toupper(s)); cat('\\n'); cat(commandArgs(TRUE), readLines(file('stdin'), warn = FALSE)); cat('\\n')`,
    expected: `${counted}\n${echoed}\n`,
  },
  tcl: {
    code: `set s "žluť"; puts "$s [string length $s] [string toupper $s]"; puts "[lindex $argv 0] [gets stdin]"`,
    expected: `žluť 4 ŽLUŤ\n${echoed}\n`,
  },
};

const all = Object.entries({ ...cases, ...(process.env.RUNLET_TEST_LANGUAGES === 'all' && rare) });
let runlet: Runlet;

beforeAll(async () => {
  runlet = await startWithLanguages(all.map(([language]) => language));
}, buildingMs);

afterAll(() => runlet.stop());

test.each(all)('%s', { timeout: 300_000 }, async (language, { code, expected }) => {
  const request = { language, code, args: [word], stdin: 'Řeka', limits: { timeoutMs: 60_000 } };
  const { stdout, steps, outputEncoding } = await runlet.run(request);
  expect(steps.map(({ stderr }) => stderr).join('')).toBe('');
  expect({ stdout, outputEncoding }).toEqual({ stdout: expected, outputEncoding: 'utf8' });
});
