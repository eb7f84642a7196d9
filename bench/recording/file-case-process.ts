import { type FileCaseName, fileCase } from './file-cases.js';

/* One case, in a process of its own as a command is: what ran before would leave the code compiled for other uses. */

const [name, folder, megabytes] = process.argv.slice(2);
process.send!(await fileCase(name as FileCaseName, folder!, Number(megabytes)));
