// Package letters tells people by direct message what became of requests that were filed. A person gets
// at most one letter a working day, a digest. Only what needs somebody now is told at once, and what
// follows within ten minutes goes into the same message. Each letter is recorded before it is posted, so
// a kill posts none twice, and a lost answer leaves one orphan at most. What is over when the letter is
// written is left out. Of what needs somebody now in one batch a person is told once a day.
package letters
