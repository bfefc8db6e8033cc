package topology

import (
	"math"
	"time"
)

const (
	earthRadius  = 6_371_008.8            // metres, the mean (IUGG)
	speedInFibre = 299_792_458 * 2.0 / 3. // metres per second
)

// Distance is the great-circle distance of two places in metres.
func Distance(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	s, t := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	h := s*s + math.Cos(lat1*rad)*math.Cos(lat2*rad)*t*t
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h)))
}

// SetGeoDelays gives the edges without a delay, of which both ends are located, the
// time that light takes in fibre (2/3 of its speed) along the great circle between
// them, at least least. It returns how many edges are left without a delay.
func (g *Graph) SetGeoDelays(least time.Duration) (left int) {
	for i := range g.Edges {
		e := &g.Edges[i]
		a, b := &g.Nodes[e.A], &g.Nodes[e.B]
		if e.Delay == 0 && a.Located && b.Located {
			e.Delay = max(least, time.Duration(Distance(a.Lat, a.Lon, b.Lat, b.Lon)/speedInFibre*1e9))
		}
		if e.Delay == 0 {
			left++
		}
	}
	return left
}
