import { Argument, type Command } from 'commander';
import type { Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

const scripts = {
  bash: async () => (await import('../completion/bash.ts')).bashScript,
  zsh: async () => (await import('../completion/zsh.ts')).zshScript,
  fish: async () => (await import('../completion/fish.ts')).fishScript,
};

type Shell = keyof typeof scripts;

export function add(command: Command, streams: Streams): void {
  command
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(scripts)))
    .addHelpText(
      'after',
      examples(
        'source <(runlet completion bash)',
        'runlet completion bash | sudo tee /etc/bash_completion.d/runlet',
        'source <(runlet completion zsh)',
        'runlet completion fish > ~/.config/fish/completions/runlet.fish',
      ),
    );
  addCommonOptions(command).action(async (shell: Shell) => {
    const { completionTree } = await import('../completion/tree.ts');
    const script = await scripts[shell]();
    if (command.parent !== null) await streams.out.write(script(completionTree(command.parent)));
  });
}
