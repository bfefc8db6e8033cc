# An invented network in the manner of the Topology Zoo.
Creator "by hand"
graph [
  Network "Tiny &#38; Co"
  directed 0
  GeoExtent "Country"
  node [
    id 0
    label "Oslo"
    Country "Norway"
    Longitude 10.75
    Latitude 59.91
  ]
  node [
    id 1
    label "Rome"
    Longitude 12.48
    Latitude 41.89
    nested [ deep 1 ]
  ]
  node [
    id 5
    label "Oslo"
  ]
  edge [
    source 0
    target 1
    LinkSpeed "10"
    LinkSpeedUnits "G"
    LinkLabel "OC-192
 and more"
  ]
  edge [
    source 1
    target 0
    LinkSpeedRaw 155000000.0
  ]
  edge [ source 5 target 1 ]
  edge [ source 1 target 1 ]
]
