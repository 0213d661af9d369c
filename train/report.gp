# The plots of the model report: eight SVG documents on stdout, in the order roc, pr, reliability,
# scores, tradeoff, weeks, weights, slices. Reads the .tsv files of its folder, and the variables that
# train defines before it: baselines (names, may be none), base_rate, recall, precision, alerts,
# threshold, false_positive_rate. A number without meaning is NaN and leaves no mark; a file without
# rows leaves empty axes. How to read each plot is said in report.html.

set encoding utf8
set minussign
set datafile separator tab
set datafile columnheaders

# Okabe and Ito's colours, which the colour-blind can tell apart: blue is always the model, orange
# always fraud. Baselines are muted; from the fourth on they are dashed.
blue = "#0072B2"; orange = "#D55E00"; ink = "#333333"; grey = "#767676"; pale = "#E6E6E6"
array muted[6] = ["#8A8A8A", "#C29A4B", "#7FA58F", "#B08BA6", "#A0A0A0", "#9A7B62"]
do for [i=1:6] {
  eval sprintf('set style line %d lc rgb "%s" lw 1.6 dt %s pt 7 ps 0.4', 10 + i, muted[i], \
               i < 4 ? "solid" : "(6,3)")
}
set style line 1 lc rgb blue lw 2.4 pt 7 ps 0.6
set style line 2 lc rgb grey lw 1.2 dt (2,4)
set style line 3 lc rgb ink lw 1 dt (5,3)
set style line 4 lc rgb "#FFFFFF" pt 7
set border 3 lc rgb grey lw 0.8
set grid lc rgb pale lt 1 lw 0.8
set style fill transparent solid 0.25 noborder
set clip two

# Single marks, and lines across a plot, are plotted from these: plot skips NaN, set arrow does not.
$one << EOD
row
0
EOD
$across << EOD
end
0
1
EOD

clamp(x, low, high) = x > low ? (x < high ? x : high) : low # low for NaN
decade(x) = 10 ** floor(log10(x) + 1e-9)
tidy(x) = decade(x) * (x < 2 * decade(x) ? 2 : x < 5 * decade(x) ? 5 : 10)
percent(x) = sprintf(x < 0.01 ? "%.2g %%" : x < 0.1 ? "%.1f %%" : "%.0f %%", 100 * x)
hundredths(name) = 100 * column(name)
row(k) = int(column(0)) + 1

# Sets S_records, the rows in which the expression is a number, and S_min, S_max, S_sum of these: stats
# sets nothing where there are none, and would leave out what lies outside of set ranges.
measure(file, expression) = sprintf('set autoscale; S_records = 0; S_min = NaN; S_max = NaN; \
  S_sum = NaN; stats "%s.tsv" using (%s) nooutput name "S"', file, expression)
longest(file, name) = measure(file, sprintf('strlen(stringcolumn("%s"))', name))

# Begins a document, which ends where the next begins. Its name keeps the ids of its curves apart from
# those of the other plots in the page. value: a column that has numbers wherever there is data.
begin(name, height, value) = sprintf('set terminal svg name "%s" size 480,%d fixed noenhanced rounded \
  font "Helvetica,13" background "#ffffff"; unset logscale; unset label; unset x2tics; unset margins; \
  set rmargin 4; set tics nomirror out scale 0.5 tc rgb ink; set xtics autofreq offset 0, 0.3; \
  set ytics autofreq; set xlabel "" tc rgb ink offset 0, 0.4; set ylabel "" tc rgb ink; set x2label ""; \
  set format "%%g %%%%"; %s; set xrange [0:100]; set yrange [0:100]; \
  set label 1 (S_records ? "" : "no data") at graph 0.5, 0.5 center tc rgb grey', \
  name, height, measure(name, sprintf('column("%s")', value)))

# gnuplot lets a wide key run past the edge: so here is how many columns of the longest name fit.
widest = 9
do for [i=1:words(baselines)] { widest = clamp(strlen(word(baselines, i)), widest, 99) }
key_columns = clamp(floor(350 / (7.2 * widest + 36)), 1, 4)
key_rows = ceil((words(baselines) + 1.0) / key_columns)
set key tmargin left horizontal Left reverse samplen 1.4 width -1 maxcols key_columns tc rgb ink
set linetype 1 lc rgb blue

# The first in the key is the model, though its curve is drawn last, on top of the baselines'. spot: the
# point X, Y at the threshold, in a white ring that keeps it apart from the curve, and its text T on the
# side where there is room.
model_key = 'keyentry with lines ls 1 title "model"'
each = 'for [i=1:words(baselines)] sprintf("%s_%s.tsv", FILE, word(baselines, i))'
each_style = 'ls 10 + i title word(baselines, i)'
spot = '$one using (X):(Y) notitle with points ls 4 ps 1.2, "" using (X):(Y) notitle with points ls 1 ps 0.8, \
        "" using (X):(Y):(T) notitle with labels tc rgb blue @side'
