-- A dead letter is fed again as the record that it was, byte for byte. As text a key lost every byte that is not UTF-8, and headers
-- were not kept at all. The table is rewritten, and locked while that takes.

-- What text cannot hold was stored escaped, as U+241B and four hex digits: U+0000 as 0000, U+241B itself as 241B. Bytes need no escape.
-- A match cannot begin at half a byte, because the bytes around it would not be UTF-8.
ALTER TABLE dead_letter ALTER COLUMN key TYPE bytea USING
  decode(replace(replace(encode(convert_to(key, 'UTF8'), 'hex'), 'e2909b30303030', '00'), 'e2909b32343142', 'e2909b'), 'hex');

-- [name, value] each, the value in base64 or null, in the record's order: a name may be there twice. Letters of before have none.
ALTER TABLE dead_letter ADD COLUMN headers jsonb NOT NULL DEFAULT '[]';
