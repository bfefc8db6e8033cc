package sweep

import "math"

// student is the 0.975 quantile of Student's t distribution with n degrees of
// freedom: the half width of a two-sided interval of 95 % in standard errors.
func student(n int) float64 {
	table := [...]float64{12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216, 2.22814,
		2.20099, 2.17881, 2.16037, 2.14479, 2.13145, 2.11991, 2.10982, 2.10092, 2.09302, 2.08596,
		2.07961, 2.07387, 2.06866, 2.06390, 2.05954, 2.05553, 2.05183, 2.04841, 2.04523, 2.04227}
	if n < 1 {
		return math.NaN()
	}
	if n <= len(table) {
		return table[n-1]
	}
	// Cornish and Fisher's expansion about the normal quantile (Abramowitz and
	// Stegun, 26.7.5).
	const z = 1.959963984540054
	v := float64(n)
	z3 := z * z * z
	z5, z7 := z3*z*z, z3*z3*z
	return z + (z3+z)/(4*v) + (5*z5+16*z3+3*z)/(96*v*v) + (3*z7+19*z5+17*z3-15*z)/(384*v*v*v)
}

// Interval is a mean with its confidence interval of 95 %, by Student's t.
type Interval struct {
	N               int
	Mean, Low, High float64 // Low and High are NaN for a single value
	Deviation       float64 // of the sample; NaN for a single value
}

// Confidence is the interval of a sample of independent values, which are taken
// to be normal. It is all NaN for none.
func Confidence(values []float64) Interval {
	n := len(values)
	r := Interval{N: n, Mean: math.NaN(), Low: math.NaN(), High: math.NaN(), Deviation: math.NaN()}
	if n == 0 {
		return r
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	r.Mean = sum / float64(n)
	if n == 1 {
		return r
	}
	squares := 0.0
	for _, v := range values {
		squares += (v - r.Mean) * (v - r.Mean)
	}
	r.Deviation = math.Sqrt(squares / float64(n-1))
	half := student(n-1) * r.Deviation / math.Sqrt(float64(n))
	r.Low, r.High = r.Mean-half, r.Mean+half
	return r
}
