/**
 * @file Distillation as in R1 (arXiv 2501.12948, section 2.4): a teacher answers problems of a task, answers that the
 * task's verifier accepts are kept, and a smaller model is fine-tuned on them.
 */
export * from './data-set';
export * from './filter';
export * from './solution';
export * from './summary';
