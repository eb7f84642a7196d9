/**
 * Runs a Python program so that it does not outlive its parent, as `watchParent` does for JavaScript:
 * `python3 -c GUARD program.py …`. A thread waits for the end of the inherited descriptor, then sends the process SIGTERM, and
 * ends it if it is still there after the limit. The program sees its own `sys.argv`, `sys.path[0]` and `__main__`.
 */
export const pythonGuard = `
import os, runpy, signal, sys, threading, time
def watch(fd, limit_s):
    try:
        while os.read(fd, 1):
            pass
    except OSError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(limit_s)
    os.kill(os.getpid(), signal.SIGKILL)
fd = os.environ.pop("FURROW_PARENT_FD", None)
limit_s = float(os.environ.get("FURROW_PARENT_LIMIT_MS", "5000")) / 1000
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
if fd is not None:
    threading.Thread(target=watch, args=(int(fd), limit_s), daemon=True).start()
runpy.run_path(sys.argv[0], run_name="__main__")
`;
