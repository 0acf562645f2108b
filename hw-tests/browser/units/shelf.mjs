/** The shell's shelf, in memory: node has no database of a browser. */
let key = 0;
let writes = [];
const answers = new Map();

export const wait = async (write) => void writes.push({ key: (key += 1), ...write });
export const waiting = async (experience) => writes.filter((write) => !experience || write.experience === experience);
export const done = async (gone) => void (writes = writes.filter((write) => write.key !== gone));
export const keepLast = async (experience, question, answer) => void answers.set(`${experience} ${question}`, answer);
export const last = async (experience, question) => answers.get(`${experience} ${question}`);
export const forgetLast = async () => answers.clear();
export const forgetAll = async () => void (answers.clear(), (writes = []));
