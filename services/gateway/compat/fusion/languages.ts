/** SandboxFusion's names of languages, each with ours. */
const ours = new Map([
  ['python', 'python'],
  ['cpp', 'cpp'],
  ['nodejs', 'javascript'],
  ['typescript', 'typescript'],
  ['go', 'go'],
  ['java', 'java'],
  ['php', 'php'],
  ['bash', 'bash'],
  ['rust', 'rust'],
  ['perl', 'perl'],
  ['ruby', 'ruby'],
  ['lua', 'lua'],
  ['R', 'r'],
  ['sql', 'sql'],
]);

/** Its clients may name these as well, and are told that they are not here. */
const lacking = [
  ...['go_test', 'csharp', 'cuda', 'D_ut', 'scala', 'julia', 'pytest', 'junit', 'kotlin_script', 'jest'],
  ...['verilog', 'python_gpu', 'lean', 'swift', 'racket'],
];

export const languageNames: string[] = [...ours.keys(), ...lacking];

/** Our name of a language. `undefined`: it is SandboxFusion's alone. */
export const ourLanguage = (name: string): string | undefined => ours.get(name);

/** PHP's code may come without its opening tag. It gets it in its first line, so that the numbers of lines stay. */
export const sourceOf = (name: string, code: string): string =>
  name === 'php' && !code.includes('<?php') ? `<?php ${code}` : code;
