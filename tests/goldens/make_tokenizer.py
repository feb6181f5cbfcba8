"""Encodings of the embedded model's tokenizer by Transformers, for tests/formats/text/tokenizer.test.ts.

python tests/goldens/make_tokenizer.py    (transformers 5.23.0, tokenizers 0.23.3; no torch needed)
"""
import json
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

root = Path(__file__).parents[2]
folder = root / 'public/models/tinythink-1m'
texts = [
    '12+7-30=', '<think>12+7=19;19-30=-11</think><answer>-11</answer><eos>', '3 5 7:38=', 'wait, is it?', 'Hé😀A',
    '<unused3><unk>', '', '<thinkx', 'a<eos>b', '\n\t', ' a  b ', '<pad><pad>1', '<think><think></answer>(1*2).0',
]
chats = [
    [['user', '12+7=']],
    [['system', 'be brief'], ['user', '1+1='], ['assistant', '<think></think><answer>2</answer>'], ['user', '2+2=']],
    [['user', '1+1='], ['assistant', '<answer>2</answer>']],
]
auto = AutoTokenizer.from_pretrained(folder)
fast = PreTrainedTokenizerFast.from_pretrained(folder)
out = {'size': len(auto), 'encodings': [], 'chats': []}
for text in texts:
    ids = auto.encode(text, add_special_tokens=False)
    assert ids == fast.encode(text, add_special_tokens=False)
    out['encodings'].append({
        'text': text, 'ids': ids, 'with_special_tokens': auto.encode(text), 'decoded': auto.decode(ids),
        'decoded_without_special_tokens': auto.decode(ids, skip_special_tokens=True),
    })
for chat in chats:
    messages = [{'role': role, 'content': content} for role, content in chat]
    text = auto.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    out['chats'].append({'messages': messages, 'text': text})
(Path(__file__).parent / 'tokenizer.json').write_text(json.dumps(out, indent=1) + '\n')
