#!/bin/sh
# Makes the English recordings of this folder anew. Needs Debian's flite and ffmpeg, and for AMR
# (which Debian's ffmpeg cannot write) a Python with the `av` of requirements.txt: PYTHON=…
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-../.venv/bin/python}

# flite's own 16 kHz, mono, 16 bits: nothing is converted.
flite -voice slt -f english.txt -o english.wav

# More than half a minute, so that it takes several chunks; as Opus, or it would be a megabyte.
flite -voice slt -f story.txt -o story.wav
ffmpeg -v error -y -i story.wav -c:a libopus -b:a 24k -fflags +bitexact -flags +bitexact story.opus
rm story.wav

# One sentence in every container that the service promises to read. -bitexact leaves out the
# encoder's version, so that the same ffmpeg writes the same bytes.
sentence="We will walk to the park this morning."
flite -voice slt -t "$sentence" -o formats/walk.wav
printf '%s\n' "$sentence" > formats/walk.txt

convert() { # convert OUTPUT OPTION…
    output=$1
    shift
    ffmpeg -v error -y -i formats/walk.wav "$@" -fflags +bitexact -flags +bitexact "formats/$output"
}
# The picture of the video files: black, 64 by 64, two frames a second.
convert_with_picture() { # convert_with_picture OUTPUT OPTION…
    output=$1
    shift
    ffmpeg -v error -y -i formats/walk.wav -f lavfi -i color=black:s=64x64:r=2 -shortest \
        -pix_fmt yuv420p "$@" -fflags +bitexact -flags +bitexact "formats/$output"
}
convert walk.flac -c:a flac
convert walk.mp3 -c:a libmp3lame -b:a 32k
convert walk.m4a -c:a aac -b:a 32k
convert walk.aac -c:a aac -b:a 32k
convert walk.ogg -c:a libvorbis -q:a 1
convert walk.opus -c:a libopus -b:a 24k
convert walk.webm -c:a libopus -b:a 24k
convert_with_picture walk.mp4 -c:v libx264 -c:a aac -b:a 32k
convert_with_picture walk.mov -c:v libx264 -c:a aac -b:a 32k
convert_with_picture walk.mkv -c:v libvpx -c:a libvorbis -q:a 1

"$python" - <<'PYTHON'
import av

# AMR narrow-band, as telephones and old voice recorders write it: 8 kHz, 12.2 kbit/s.
with av.open("formats/walk.wav") as source, av.open("formats/walk.amr", "w") as target:
    stream = target.add_stream("libopencore_amrnb", rate=8000, layout="mono")
    stream.bit_rate = 12200
    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000, frame_size=160)
    for frame in [*source.decode(audio=0), None]:
        for part in resampler.resample(frame):
            target.mux(stream.encode(part))
    target.mux(stream.encode(None))
PYTHON
