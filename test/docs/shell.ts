/** The simple commands of a shell text, as words: lines, and what pipes, `&&` and `;` join. Comments are left out. */
export function shellCommands(text: string): readonly (readonly string[])[] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (const [token] of text.matchAll(/'[^']*'|"[^"]*"|(?<=^|\s)#.*|&&|\|\|?|[;\n]|[^\S\n]+|[^\s'"|&;]+|&/gm)) {
    if (/^(?:#|&|\||;|\n)/.test(token)) endCommand();
    else if (/^\s/.test(token)) endWord();
    else word = (word ?? '') + (/^['"]/.test(token) ? token.slice(1, -1) : token);
  }
  endCommand();
  return commands.map(withoutRedirection);
}

function withoutRedirection(words: readonly string[]): readonly string[] {
  const at = words.findIndex((word) => /^\d?[<>]/.test(word));
  return at < 0 ? words : words.slice(0, at);
}
