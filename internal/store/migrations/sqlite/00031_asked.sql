-- +goose Up

-- Random, in hexadecimal digits. The first event of a request has a digest of this salt and of what was asked
-- for, so that a row that was changed is found. null once the text is erased, or if an older build recorded it.
alter table requests add column salt text;
