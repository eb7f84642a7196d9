import { watchParent } from './parent-watch.js';

// Loaded with --import before the program, so that every JavaScript program is guarded, whatever it is made with.
watchParent();
