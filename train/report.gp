# The plots of the model report: eight SVG documents on stdout, in the order roc, pr, reliability,
# scores, tradeoff, weeks, weights, slices. Reads the .tsv files of its folder, and the variables
# that train defines before it: baselines (names, may be none), base_rate, recall, precision,
# alerts, budget, threshold, false_positive_rate. A number without meaning is NaN and leaves no mark; a
# file without rows leaves empty axes. How to read each plot is said in report.html.

set encoding utf8; set minussign
set datafile separator tab; set datafile columnheaders

# Okabe and Ito's colours, which the colour-blind can tell apart: blue is always the model, orange
# always fraud. Baselines are muted; from the fourth on they are dashed.
blue = "#0072B2"; orange = "#D55E00"; ink = "#333333"; grey = "#767676"; white = "#FFFFFF"
array muted[6] = ["#8A8A8A", "#C29A4B", "#7FA58F", "#B08BA6", "#A0A0A0", "#9A7B62"]
do for [i=1:6] {
  eval sprintf('set style line %d lc rgb muted[%d] lw 1.6 pt 7 ps 0.4 dt %s', 10 + i, i, \
               i < 4 ? "solid" : "(6,3)")
}
set style line 1 lc rgb blue lw 2.4 pt 7 ps 0.6
set style line 2 lc rgb grey lw 1.2 dt (2,4)
set style line 3 lc rgb ink lw 1 dt (5,3)
set style line 4 lc rgb white pt 7
set style fill transparent solid 0.25 noborder
set border 3 lc rgb grey lw 0.8
set grid lc rgb "#E6E6E6" lt 1 lw 0.8
set clip two # for lines whose ends both lie outside

# Lines across a plot, and of its first row single marks: plot skips NaN, set arrow does not.
$across << EOD
end
0
1
EOD

clamp(x, low, high) = x > low ? (x < high ? x : high) : low # low for NaN
decade(x) = 10 ** floor(log10(x) + 1e-9)
tidy(x) = decade(x) * (x < 2 * decade(x) ? 2 : x < 5 * decade(x) ? 5 : 10)
percent(x) = sprintf(x < 0.01 ? "%.2g %%" : x < 0.1 ? "%.1f %%" : "%.0f %%", 100 * x)
known(x) = x == x
cut(text) = strlen(text) > 32 ? substr(text, 1, 31) . "…" : text
hundredths(name) = 100 * column(name)
k = '(int(column(0)) + 1)' # the row's number, from 1

# Sets S_records, the rows in which the expression is a number, and S_min, S_max, S_sum of these, of
# which stats defines none where there is no row; it leaves out what lies outside of set ranges.
sure(name, otherwise) = exists(name) ? value(name) : otherwise
measure(expression) = sprintf('set autoscale; undefine S_*; \
  stats file.".tsv" using (%s) nooutput name "S"; S_records = sure("S_records", 0); \
  S_min = sure("S_min", NaN); S_max = sure("S_max", NaN); S_sum = sure("S_sum", NaN)', expression)
measure_text(name) = measure(sprintf('strlen(stringcolumn("%s"))', name))

# Begins a document, which ends where the next begins. Its name keeps the ids of its curves apart
# from other plots' in the page. value: a column that is a number wherever there is data.
begin(name, height, value) = sprintf('file = "%s"; set terminal svg name file size 480,%d fixed \
  noenhanced rounded font "Helvetica,13" background white; unset logscale; unset label; \
  unset x2tics; unset margins; set rmargin 4; set tics nomirror out scale 0.5 tc rgb ink; \
  set xtics autofreq offset 0, 0.3; set ytics autofreq; set xlabel "" tc rgb ink offset 0, 0.4; \
  set ylabel "" tc rgb ink; set x2label ""; set format "%s"; %s; \
  set label 1 (S_records ? "" : "no data") at graph 0.5, 0.5 center tc rgb grey', \
  name, height, "%g %%", measure(sprintf('column("%s")', value)))

# gnuplot lets a wide key run past the edge: so here is how many columns of the longest name fit.
widest = 9
do for [i=1:words(baselines)] { widest = clamp(strlen(word(baselines, i)), widest, 99) }
key_columns = clamp(floor(350 / (7.2 * widest + 36)), 1, 4)
key_rows = ceil((words(baselines) + 2.0) / key_columns)
tall = 342 + 19 * clamp(key_rows, 2, 99) # of a plot with this key
set key tmargin left horizontal Left reverse samplen 1.4 width -1 maxcols key_columns tc rgb ink

# The model is the first in the key, though its curve is drawn last, on top of the baselines'.
model = 'keyentry with lines ls 1 title "model"'
each = 'for [i=1:words(baselines)] sprintf("%s_%s.tsv", file, word(baselines, i))'
named = 'ls 10 + i title word(baselines, i)'
interval = 'nohead ls 1 lw 1.4 notitle'

# The point X, Y at the threshold, in a white ring that keeps it apart from its curve, and its text
# on the side where there is room. NaN becomes an empty text: gnuplot 5.4 crashes on labels none of
# which has a place.
spot = '$across every ::::0 using (X):(Y) notitle with points ls 4 ps 1.2, \
  "" every ::::0 using (X):(Y) notitle with points ls 1 ps 0.8, \
  "" every ::::0 using (known(X) ? X : 1):(known(Y) ? Y : 1):(known(X + Y) ? text : "") notitle \
     with labels tc rgb blue @side'
above = 'right offset -0.8, 1.6'
below = 'left offset 1, -0.8'

# roc: a day holds few alerts among many genuine payments, so all that matters lies where less than
# about one in a hundred of these is alerted: the axis is logarithmic. What has no false alarm at
# all is drawn at its left end. Steps, as no threshold lies between rows of one score.
eval begin("roc", tall, "threshold")
rate = 'column("false_positive_rate")'
eval measure(rate . " > 0 ? " . rate . " : NaN"); least = clamp(decade(S_min), 1e-5, 1e-2)
set logscale x; set xrange [100 * least:100]; set yrange [0:100]
set xlabel "genuine payments alerted (false positive rate)"
set ylabel "frauds caught (true positive rate)"
curve = 'using (100 * clamp(@rate, least, 1)):(hundredths("true_positive_rate")) with steps'
X = 100 * (false_positive_rate < least ? least : false_positive_rate); Y = 100 * recall
text = sprintf("%s of frauds,\n%s of genuine", percent(recall), percent(false_positive_rate))
side = Y > 85 || false_positive_rate < 20 * least ? below : above
plot @model, @each @curve @named, [100 * least:100] x with lines ls 2 title "chance", \
  "roc.tsv" @curve ls 1 notitle, @spot

# pr: of the alerts, the share that is fraud, as more frauds are caught.
eval begin("pr", tall, "threshold")
set xrange [0:100]; set yrange [0:100]
set xlabel "frauds caught (recall)"; set ylabel "alerts that are fraud (precision)"
curve = 'using (hundredths("recall")):(hundredths("precision")) with lines'
X = 100 * recall; Y = 100 * precision
text = sprintf("%s of frauds,\n%s of alerts", percent(recall), percent(precision))
side = X > 85 ? "right offset -1, -0.6" : "left offset 1, 0.8"
plot @model, @each @curve @named, \
  $across using (hundredths("end")):(100 * base_rate) with lines ls 2 title "chance", \
  "pr.tsv" @curve ls 1 notitle, @spot

# reliability: mean probability against share of frauds, in ten ranges. How many rows stand behind a
# point is written above it.
eval begin("reliability", 380, "fraud_share")
set xrange [0:100]; set x2range [0:100]; set yrange [0:100]
set xlabel "probability that the model gives"; set ylabel "share that is fraud"
if (S_records) {
  set x2label "rows" tc rgb grey font ",11" offset 0, -0.6
  set x2tics scale 0 tc rgb grey font ",11" offset 0, -0.4
}
thousands(n) = sprintf(n < 1e6 ? "%.0fk" : "%.1fM", n < 1e6 ? n / 1e3 : n / 1e6)
count(n) = n < 1e4 ? sprintf("%.0f", n) : thousands(n)
x = '(hundredths("mean_probability"))'
plot [0:100] x with lines ls 2 notitle, "reliability.tsv" using \
     @x:(hundredths("low")):(0):(hundredths("high") - hundredths("low")) with vectors @interval, \
  "" using @x:(hundredths("fraud_share")) with points ls 1 ps 0.9 notitle, \
  "" using (50 * (column("from") + column("to"))):(-1):x2tic(count(column("rows"))) \
     axes x2y1 with dots notitle

# scores: shares of each class, as genuine rows are many times the frauds. On an axis of log-odds
# 0.1 % is as far from 1 % as 99 % is from 99.9 %.
eval begin("scores", 380, "genuine")
logodds(p) = p > 0 ? (p < 1 ? clamp(log(p / (1 - p)), -16, 16) : 16) : -16
genuine = S_sum > 0 ? S_sum : NaN; most = clamp(S_max / genuine, 0.01, 1)
eval measure('column("frauds")')
frauds = S_sum > 0 ? S_sum : NaN; most = clamp(S_max / frauds, most, 1)
eval measure('logodds(column("from"))'); low = S_min < -5 ? S_min : -5
eval measure('logodds(column("to"))'); high = S_max > 5 ? S_max : 5
set key maxcols 3
set xrange [low:high]; set yrange [0:106 * most]; set xtics ()
do for [p in "0.01 0.1 1 10 50 90 99 99.9 99.99"] { set xtics add (p logodds(p / 100.0)) }
set xlabel "probability that the model gives, in %"
set ylabel "share of all frauds, of all genuine"
x = '((logodds(column("from")) + logodds(column("to"))) / 2)'
plot "scores.tsv" \
     using @x:(hundredths("genuine") / genuine) with boxes lc rgb grey title "genuine", \
  "" using @x:(hundredths("frauds") / frauds) with boxes lc rgb orange title "frauds", \
  "" using @x:(hundredths("genuine") / genuine) with histeps lc rgb grey lw 1.4 notitle, \
  "" using @x:(hundredths("frauds") / frauds) with histeps lc rgb orange lw 1.8 notitle, \
  $across using (known(threshold) ? logodds(threshold) : NaN):(hundredths("end")) \
     with lines ls 3 title "threshold"

# tradeoff: up to two decades of alerts a day on either side of what the threshold gave in the test.
eval begin("tradeoff", tall, "recall")
eval measure('column("alerts_per_day")'); most = S_max > 0 ? S_max : 10000
middle = alerts > 0 ? alerts : most / 100.0
set key maxcols key_columns
set logscale x; set format x "%g"; set yrange [0:100]
set xrange [decade(middle / 60.0):clamp(most, 10 * middle, 100 * middle)]
set xlabel "alerts a day"; set ylabel "frauds caught"
curve = 'using (column("alerts_per_day")):(hundredths("recall")) with lines'
X = alerts; Y = 100 * recall
text = sprintf(alerts < 10 ? "%s of frauds\nat %.1f a day" : "%s of frauds\nat %.0f a day", \
               percent(recall), alerts)
side = Y > 85 ? below : above
plot @model, @each @curve @named, \
  $across using (budget):(hundredths("end")) with lines ls 3 title (budget > 0 ? "budget" : ""), \
  "tradeoff.tsv" @curve ls 1 notitle, @spot

# weeks: above, how well the rows are ordered, which no threshold enters; below, what the threshold
# gives. At most four weeks are labelled, by their start.
eval begin("weeks", tall, "week")
weeks = clamp(S_records, 1, 1e9)
day(text) = !labelled || int(column("week")) % int(ceil(weeks / 4.0)) ? "" : word(text, 1)
curve = 'using (column("week")):(@value):xtic(day(stringcolumn("test"))) with linespoints'
beside(y) = weeks > 12 || !known(y) ? 0 : y + (y < 0.88 * top ? 0.12 : -0.12) * top
panel = '@each @curve @named, "weeks.tsv" @curve ls 1 notitle, \
  "" using (column("week")):(beside(@value)):(beside(@value) > 0 ? sprintf(form, @value) : "") \
     with labels font ",11" tc rgb blue notitle'
set multiplot
set lmargin 10; set xrange [-0.4:weeks - 0.6]; set format x ""
panel_height = (tall - 112 - 19 * key_rows) / 2.0
set bmargin at screen (92 + panel_height) / tall
set tmargin at screen (92 + 2 * panel_height) / tall
set ylabel "average precision"; set yrange [0:1]; set ytics 0.5; set format y "%g"
top = 1; labelled = 0; value = 'column("average_precision")'; form = "%.2f"
plot @model, @panel
set tmargin at screen (60 + panel_height) / tall; set bmargin at screen 60.0 / tall; unset key
set ylabel "frauds caught"; set yrange [0:100]; set ytics 50; set format y "%g %%"
set xlabel "test period, by its start"
top = 100; labelled = 1; value = 'hundredths("recall")'; form = "%.0f %%"
plot @panel
unset multiplot

# weights: by size; those whose interval holds zero are hollow. The plot grows with the features.
eval begin("weights", 100, "weight")
features = S_records; lines = clamp(features, 5, 1e4)
array size[features + 1]
eval measure('size[@k] = abs(column("weight"))')
place(k) = 1 + sum [j=1:features] (size[j] > size[k] || (size[j] == size[k] && j < k))
eval measure_text("feature"); wide = clamp(S_max, 8, 32)
eval measure('column("low")'); low = S_min < 0 ? 1.04 * S_min : 0
eval measure('column("high")'); high = S_max > 0 ? 1.04 * S_max : low < 0 ? 0 : 1
eval begin("weights", 80 + 20 * lines, "weight")
set lmargin at screen (16 + 7.0 * wide) / 480; set rmargin at screen 0.96
set bmargin 4.4; set tmargin 0.6
set yrange [lines + 0.7:0.3]; set ytics scale 0; set format y ""
set xrange [low:high]; set xtics tidy((high - low) / 5.0); set format x "%g"
set label 2 center tc rgb ink at screen 0.5, char 2.1 \
  "weight: log-odds for one standard deviation more\n← less suspicious        more suspicious →"
unsure = '(column("low") <= 0 && column("high") >= 0)'
plot $across using (0):(1e4 * column("end")) with lines ls 3 notitle, "weights.tsv" using \
     (column("low")):(place(@k)):(column("high") - column("low")):(0) with vectors @interval, \
  "" using (column("weight")):(place(@k)):ytic(cut(stringcolumn("feature"))) \
     with points ls 1 ps 0.8 notitle, \
  "" using (@unsure ? column("weight") : NaN):(place(@k)) with points ls 4 ps 0.5 notitle

# slices: what the threshold catches and what it costs, in parts of the rows. The slices of one
# slicing stand together under its name; the small ones, which say little, are hollow.
eval begin("slices", 100, "rows")
array row[S_records + 1]
at = 0; last = ""
next(slicing) = (at = at + (slicing eq last ? 1 : 2.2), last = slicing, at)
eval measure('row[@k] = next(stringcolumn("slicing"))')
heads(k) = k == 1 || row[k] - row[k - 1] > 1.5
eval measure_text("slice"); wide = clamp(S_max, 10, 32)
eval measure_text("slicing"); wide = clamp(S_max, wide, 32)
eval measure('column("false_positive_rate")')
most = clamp(110 * S_max, clamp(110 * false_positive_rate, 0.01, 100), 100)
lines = clamp(at, 5, 1e4)
eval begin("slices", 90 + 19 * lines, "rows")
left = (12 + 7.2 * wide) / 480; middle = (left + 0.96) / 2
panel = '$across using (100 * overall):(1e4 * column("end")) with lines ls 3 notitle, "slices.tsv" \
     using (hundredths(rate)):(row[@k]):ytic(label(stringcolumn("slice"))) \
     with points ls 1 ps 0.9 notitle, \
  "" using (column("small") > 0 ? hundredths(rate) : NaN):(row[@k]) \
     with points ls 4 ps 0.55 notitle'
set multiplot
set bmargin 3.2; set tmargin 0.6
set yrange [lines + 0.8:0.4]; set ytics scale 0 tc rgb grey; set format y ""
set lmargin at screen left; set rmargin at screen middle - 0.045
set xlabel "frauds caught"; set xrange [0:100]; set xtics 50
rate = "true_positive_rate"; overall = recall; label(slice) = cut(slice)
plot @panel, "" using (0):(heads(@k) ? row[@k] - 1 : NaN):(cut(stringcolumn("slicing"))) \
     with labels right offset -1.1, 0 tc rgb ink notitle
set lmargin at screen middle + 0.045; set rmargin at screen 0.96
set xlabel "genuine alerted"; set xrange [0:most]; set xtics tidy(most / 3.0)
rate = "false_positive_rate"; overall = false_positive_rate; label(slice) = ""
plot @panel
unset multiplot
