import pc from 'picocolors';

const { NO_COLOR, FORCE_COLOR, TERM } = process.env;

/**
 * Colours for a person at a terminal, none for a pipe or a file. The library's own rule takes CI for a terminal, whose
 * logs and tests want plain text.
 */
export const colors = pc.createColors(
  !NO_COLOR && (Boolean(FORCE_COLOR) || (process.stdout.isTTY === true && TERM !== 'dumb')),
);
